"""The one error of this part."""


class WsdlError(Exception):
    """A WSDL cannot be used; one paragraph says which file and line, what is wrong and what to do."""
