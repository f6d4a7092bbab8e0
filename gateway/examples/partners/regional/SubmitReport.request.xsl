<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:import href="envelope.xsl"/>
  <xsl:template match="/Request">
    <Request>
      <xsl:choose>
        <xsl:when test="ReportType = 'LAB'">
          <xsl:call-template name="header"><xsl:with-param name="service">C0006</xsl:with-param></xsl:call-template>
        </xsl:when>
        <xsl:otherwise>
          <xsl:call-template name="header"><xsl:with-param name="service">C0007</xsl:with-param></xsl:call-template>
        </xsl:otherwise>
      </xsl:choose>
      <MessageBody>
        <Report>
          <ReportNo><xsl:value-of select="ReportNo"/></ReportNo>
          <ReportVersion><xsl:value-of select="ReportVersion"/></ReportVersion>
          <Status><xsl:choose><xsl:when test="Action = 'WITHDRAW'">9</xsl:when><xsl:otherwise>1</xsl:otherwise></xsl:choose></Status>
          <RequisitionNo><xsl:value-of select="g:join(Requisitions/Requisition/RequisitionNo, ',')"/></RequisitionNo>
          <PatientId><xsl:value-of select="Patient/PatientId"/></PatientId>
          <PatientName><xsl:value-of select="Patient/PatientName"/></PatientName>
          <SexCode><xsl:value-of select="Patient/SexCode"/></SexCode>
          <IdCardNo><xsl:value-of select="g:id18(Patient/IdNo)"/></IdCardNo>
          <Findings><xsl:value-of select="Findings"/></Findings>
          <Impression><xsl:value-of select="Impression"/></Impression>
          <ReportTime><xsl:value-of select="g:date(ReportedAt, 'yyyy-MM-dd HH:mm:ss')"/></ReportTime>
          <xsl:for-each select="Results/Result">
            <Result><Code><xsl:value-of select="ItemCode"/></Code><Name><xsl:value-of select="ItemName"/></Name><Value><xsl:value-of select="ValueText | ValueNum"/></Value></Result>
          </xsl:for-each>
        </Report>
      </MessageBody>
    </Request>
  </xsl:template>
</xsl:stylesheet>
