<?xml version="1.0" encoding="UTF-8"?>
<!-- An item without a row keeps its code: a critical value is never held up by one. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:template match="/Input">
    <Request>
      <Header><MessageId><xsl:value-of select="normalize-space(MsgId)"/></MessageId></Header>
      <CriticalId><xsl:value-of select="normalize-space(AlertNo)"/></CriticalId>
      <SourceType>1</SourceType>
      <RequisitionNo><xsl:value-of select="normalize-space(HospOrderNo)"/></RequisitionNo>
      <Content><xsl:value-of select="Text"/></Content>
      <Details>
        <Detail>
          <ItemCode><xsl:value-of select="g:code('item', LabCode)"/></ItemCode>
          <ItemName><xsl:value-of select="LabName"/></ItemName>
        </Detail>
      </Details>
      <FoundAt><xsl:value-of select="g:iso(Time)"/></FoundAt>
      <ReporterCode><xsl:value-of select="normalize-space(CheckerNo)"/></ReporterCode>
      <ReporterName><xsl:value-of select="Checker"/></ReporterName>
    </Request>
  </xsl:template>
</xsl:stylesheet>
