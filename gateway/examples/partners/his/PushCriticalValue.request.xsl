<?xml version="1.0" encoding="UTF-8"?>
<!-- A critical value, as the ward's screen shows it. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:import href="head.xsl"/>
  <xsl:template match="/Request">
    <Request>
      <xsl:call-template name="head"/>
      <Body>
        <CVId><xsl:value-of select="CriticalId"/></CVId>
        <Type><xsl:value-of select="SourceType"/></Type>
        <ApplyNo><xsl:value-of select="RequisitionNo"/></ApplyNo>
        <xsl:call-template name="patient"/>
        <Ward><xsl:value-of select="Visit/WardCode"/></Ward>
        <Bed><xsl:value-of select="Visit/BedNo"/></Bed>
        <Content>
          <xsl:if test="OverdueStage != ''">【超时未处理】</xsl:if>
          <xsl:value-of select="Content"/>
        </Content>
        <FindTime><xsl:value-of select="g:date(FoundAt, 'yyyy-MM-dd HH:mm:ss')"/></FindTime>
      </Body>
    </Request>
  </xsl:template>
</xsl:stylesheet>
