"""What is particular to this function: its names and the platform it is deployed to."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

SERVICE = "mongo-client"
DEPLOYED_FROM_GITHUB = ("staging", "production")
ENVIRONMENTS = ("local", *DEPLOYED_FROM_GITHUB)
# GitHub's own environments, which the workflows name: who may use what, and who is asked.
APPROVAL = "production-approval"
GITHUB_ENVIRONMENTS = (
    *DEPLOYED_FROM_GITHUB,
    *(f"{name}-rollback" for name in DEPLOYED_FROM_GITHUB),
    APPROVAL,
)

HANDLER_FILE = ROOT / "lambda_function.py"
HANDLER = "lambda_function.lambda_handler"
RUNTIME = "python3.13"
ARCHITECTURE = "x86_64"

LAYER_LOCK = ROOT / "layer" / "requirements.txt"

FUNCTION_PACKAGE = "lambda_function.zip"
LAYER_PACKAGE = "pymongo-layer.zip"
MANIFEST = "manifest.json"

TERRAFORM_DIR = ROOT / "terraform"
BOOTSTRAP_DIR = TERRAFORM_DIR / "bootstrap"
