<?xml version="1.0" encoding="UTF-8"?>
<!-- One step of an exam; who sends it and under which number is filled in. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:template match="/Row">
    <Request>
      <RequisitionNo><xsl:value-of select="REQUEST_NO"/></RequisitionNo>
      <Event>
        <xsl:choose>
          <xsl:when test="STATE = 'R'">REGISTER</xsl:when>
          <xsl:when test="STATE = 'X'">CANCEL_REG</xsl:when>
          <xsl:when test="STATE = 'E'">EXAM_DONE</xsl:when>
          <xsl:otherwise><xsl:value-of select="g:fail('STATE is none of R, X and E')"/></xsl:otherwise>
        </xsl:choose>
      </Event>
      <OccurredAt><xsl:value-of select="g:iso(HAPPENED_AT)"/></OccurredAt>
      <AccessionNo><xsl:value-of select="ACCESSION_NO"/></AccessionNo>
      <PerformerCode><xsl:value-of select="WHO_CODE"/></PerformerCode>
      <PerformerName><xsl:value-of select="WHO_NAME"/></PerformerName>
    </Request>
  </xsl:template>
</xsl:stylesheet>
