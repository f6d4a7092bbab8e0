"""How a message of ours becomes a message of somebody else's, and back: stylesheets, their functions, code tables.

Nothing here knows who the other side is. Partners, facades and the HL7 listener use it.
"""
