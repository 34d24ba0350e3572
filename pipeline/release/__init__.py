"""What a deployment and a rollback are: ledger, lease, quarantine, target."""
