<?xml version="1.0" encoding="UTF-8"?>
<!-- ORA^R41, the answer to an alert: its numbers in OBR-2 and OBR-3, the opinion in NTE-3, its kind in NTE-4. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:import href="gateway:hl7/to-hl7.xsl"/>
  <xsl:template match="/Request">
    <HL7>
      <xsl:call-template name="msh"><xsl:with-param name="type" select="'ORA^R41'"/></xsl:call-template>
      <OBR>
        <OBR.1>1</OBR.1>
        <OBR.2><xsl:value-of select="CriticalId"/></OBR.2>
        <OBR.3><xsl:value-of select="AckId"/></OBR.3>
        <OBR.22><xsl:value-of select="g:date(ActedAt, 'yyyyMMddHHmmss')"/></OBR.22>
      </OBR>
      <NTE>
        <NTE.1>1</NTE.1>
        <NTE.3><xsl:value-of select="Opinion"/></NTE.3>
        <NTE.4><xsl:value-of select="AckType"/></NTE.4>
      </NTE>
    </HL7>
  </xsl:template>
</xsl:stylesheet>
