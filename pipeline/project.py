"""What is particular to this function: its names and the platform it is deployed to."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

SERVICE = "mongo-client"
ENVIRONMENTS = ("local", "staging", "production")

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
