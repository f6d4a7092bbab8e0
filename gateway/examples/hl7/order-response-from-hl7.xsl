<?xml version="1.0" encoding="UTF-8"?>
<!-- A partner's ORR, ORG, ORL or ACK to SubmitRequisition: the accession number it has given, if any. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:template match="/HL7">
    <Response>
      <AccessionNo><xsl:value-of select="(OBR[1]/OBR.18/OBR.18.1 | ORC[1]/ORC.3[not(/HL7/OBR[1]/OBR.18)]/ORC.3.1)[1]"/></AccessionNo>
    </Response>
  </xsl:template>
</xsl:stylesheet>
