<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:template match="/Request">
    <Request>
      <CriticalID><xsl:value-of select="CriticalId"/></CriticalID>
      <SourceSystem><xsl:value-of select="Header/OriginSenderCode"/></SourceSystem>
      <RequestNO><xsl:value-of select="RequisitionNo"/></RequestNO>
      <PatientID><xsl:value-of select="Patient/PatientId"/></PatientID>
      <PatientName><xsl:value-of select="Patient/PatientName"/></PatientName>
      <VisitNO><xsl:value-of select="Visit/VisitNo"/></VisitNO>
      <CriticalContent><xsl:value-of select="Content"/></CriticalContent>
      <FindDateTime><xsl:value-of select="g:date(FoundAt, 'yyyy-MM-dd HH:mm:ss')"/></FindDateTime>
    </Request>
  </xsl:template>
</xsl:stylesheet>
