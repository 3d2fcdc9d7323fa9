"""The custom resources: models, conditions, reasons, and the definitions made from them."""
