"""The string styles of hospital interfaces: what wraps a message that travels as a string inside SOAP.

Each style is one small file that knows both sides: a partner is called in it (gateway/partners/mapped.py), a vendor may
call the gateway in it (gateway/facades/), and simulated systems speak it.
"""
