<?xml version="1.0" encoding="UTF-8"?>
<!-- type="array" makes a list of one element too, type="boolean" no string. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:template match="/Request">
    <Json>
      <msgId><xsl:value-of select="g:value('message_id')"/></msgId>
      <reportNo><xsl:value-of select="ReportNo"/></reportNo>
      <xsl:for-each select="Requisitions/Requisition">
        <orders type="array"><xsl:value-of select="RequisitionNo"/></orders>
      </xsl:for-each>
      <positive type="boolean"><xsl:value-of select="Positive = '1'"/></positive>
      <impression><xsl:value-of select="Impression"/></impression>
    </Json>
  </xsl:template>
</xsl:stylesheet>
