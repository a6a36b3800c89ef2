"""Moving a collection over to the loaded model: its crops are embedded once more, from their stored pictures."""
