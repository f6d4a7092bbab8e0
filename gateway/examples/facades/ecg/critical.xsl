<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:import href="common.xsl"/>
  <xsl:template match="/Request">
    <Request>
      <xsl:call-template name="header"/>
      <CriticalId><xsl:value-of select="normalize-space(CriticalID)"/></CriticalId>
      <SourceType>3</SourceType>
      <RequisitionNo><xsl:value-of select="normalize-space(RequestID)"/></RequisitionNo>
      <Content><xsl:value-of select="Text"/></Content>
      <FoundAt><xsl:value-of select="g:iso(FoundTime)"/></FoundAt>
      <ReporterCode><xsl:value-of select="normalize-space(DoctorID)"/></ReporterCode>
      <ReporterName><xsl:value-of select="DoctorName"/></ReporterName>
    </Request>
  </xsl:template>
</xsl:stylesheet>
