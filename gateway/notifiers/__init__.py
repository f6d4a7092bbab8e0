"""Outside channels by which people are told that a critical value is late: a webhook, or mail.

What leaves the house this way holds numbers, ward, bed, source and how late it is, and never who the patient is.
"""
