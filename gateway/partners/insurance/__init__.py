"""The dialect of the national insurance interface (医保接口规范): JSON over HTTPS, one function number per POST."""
