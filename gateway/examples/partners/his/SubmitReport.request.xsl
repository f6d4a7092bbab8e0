<?xml version="1.0" encoding="UTF-8"?>
<!-- A report; what was withdrawn comes with State 0. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:import href="head.xsl"/>
  <xsl:template match="/Request">
    <Request>
      <xsl:call-template name="head"/>
      <Body>
        <ReportNo><xsl:value-of select="ReportNo"/></ReportNo>
        <Version><xsl:value-of select="ReportVersion"/></Version>
        <State><xsl:choose><xsl:when test="Action = 'WITHDRAW'">0</xsl:when><xsl:otherwise>1</xsl:otherwise></xsl:choose></State>
        <ApplyNos><xsl:for-each select="Requisitions/Requisition"><ApplyNo><xsl:value-of select="RequisitionNo"/></ApplyNo></xsl:for-each></ApplyNos>
        <xsl:call-template name="patient"/>
        <See><xsl:value-of select="Findings"/></See>
        <Diagnose><xsl:value-of select="Impression"/></Diagnose>
        <Items>
          <xsl:for-each select="Results/Result">
            <Item><Code><xsl:value-of select="ItemCode"/></Code><Name><xsl:value-of select="ItemName"/></Name><Value><xsl:value-of select="ValueText"/></Value><Unit><xsl:value-of select="Unit"/></Unit><Flag><xsl:value-of select="AbnormalFlag"/></Flag></Item>
          </xsl:for-each>
        </Items>
        <ReportDoc><xsl:value-of select="ReporterName"/></ReportDoc>
        <ReportTime><xsl:value-of select="g:date(ReportedAt, 'yyyy-MM-dd HH:mm:ss')"/></ReportTime>
        <ViewUrl><xsl:value-of select="ViewerUrl"/></ViewUrl>
      </Body>
    </Request>
  </xsl:template>
</xsl:stylesheet>
