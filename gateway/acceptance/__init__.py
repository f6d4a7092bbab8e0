"""The acceptance of a partner (接口验收): scripted cases against its real or simulated system, and a report both sign.

docs/acceptance.md says what each case wants and how to read the report.
"""
