<?xml version="1.0" encoding="UTF-8"?>
<!-- What its messages have in common. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:template name="header">
    <Header><MessageId><xsl:value-of select="normalize-space(MessageID)"/></MessageId></Header>
  </xsl:template>

  <xsl:template name="patient">
    <Patient>
      <PatientId><xsl:value-of select="normalize-space(PatientID)"/></PatientId>
      <PatientName><xsl:value-of select="PatientName"/></PatientName>
      <SexCode><xsl:value-of select="normalize-space(Gender)"/></SexCode>
    </Patient>
  </xsl:template>
</xsl:stylesheet>
