"""The REST API, `/api/v1`; what it takes and gives are the models of `tfhealth.wire`."""
