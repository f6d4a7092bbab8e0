"""HL7 version 2: pipes to elements and back, acknowledgements, and the wire they travel by (docs/hl7.md)."""
