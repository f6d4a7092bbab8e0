<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:template match="/Request">
    <Request>
      <ReportID><xsl:value-of select="ReportNo"/></ReportID>
      <ReportVersion><xsl:value-of select="ReportVersion"/></ReportVersion>
      <UpdateFlag><xsl:choose><xsl:when test="Action = 'WITHDRAW'">D</xsl:when><xsl:when test="Action = 'AMEND'">U</xsl:when><xsl:otherwise>A</xsl:otherwise></xsl:choose></UpdateFlag>
      <SourceSystem><xsl:value-of select="Header/OriginSenderCode"/></SourceSystem>
      <RequestNOs><xsl:for-each select="Requisitions/Requisition"><RequestNO><xsl:value-of select="RequisitionNo"/></RequestNO></xsl:for-each></RequestNOs>
      <PatientID><xsl:value-of select="Patient/PatientId"/></PatientID>
      <PatientName><xsl:value-of select="Patient/PatientName"/></PatientName>
      <VisitNO><xsl:value-of select="Visit/VisitNo"/></VisitNO>
      <ReportSee><xsl:value-of select="Findings"/></ReportSee>
      <ReportResult><xsl:value-of select="Impression"/></ReportResult>
      <ReportUser><xsl:value-of select="ReporterName"/></ReportUser>
      <ReportDateTime><xsl:value-of select="g:date(ReportedAt, 'yyyy-MM-dd HH:mm:ss')"/></ReportDateTime>
      <AuditUser><xsl:value-of select="AuditorName"/></AuditUser>
      <ImageURL><xsl:value-of select="ViewerUrl"/></ImageURL>
    </Request>
  </xsl:template>
</xsl:stylesheet>
