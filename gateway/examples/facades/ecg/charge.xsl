<?xml version="1.0" encoding="UTF-8"?>
<!-- What is used beside the examination. Without a price it costs what HIS says. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:import href="common.xsl"/>
  <xsl:template match="/Request">
    <Request>
      <xsl:call-template name="header"/>
      <ChargeNo><xsl:value-of select="normalize-space(ChargeID)"/></ChargeNo>
      <RequisitionNo><xsl:value-of select="normalize-space(RequestID)"/></RequisitionNo>
      <xsl:call-template name="patient"/>
      <Visit>
        <VisitType><xsl:value-of select="normalize-space(VisitType)"/></VisitType>
        <VisitNo><xsl:value-of select="normalize-space(VisitID)"/></VisitNo>
      </Visit>
      <ChargePoint>SUPPLEMENT</ChargePoint>
      <OccurredAt><xsl:value-of select="g:iso(Time)"/></OccurredAt>
      <PerformDeptCode><xsl:value-of select="normalize-space(DeptID)"/></PerformDeptCode>
      <Lines>
        <xsl:for-each select="Item">
          <Line>
            <LineNo><xsl:value-of select="position()"/></LineNo>
            <ChargeCode><xsl:value-of select="normalize-space(Code)"/></ChargeCode>
            <ItemName><xsl:value-of select="Name"/></ItemName>
            <Quantity><xsl:value-of select="normalize-space(Quantity)"/></Quantity>
            <UnitPrice><xsl:value-of select="normalize-space(Price)"/></UnitPrice>
            <ListAmount><xsl:value-of select="normalize-space(Amount)"/></ListAmount>
            <ActualAmount><xsl:value-of select="normalize-space(Amount)"/></ActualAmount>
          </Line>
        </xsl:for-each>
      </Lines>
    </Request>
  </xsl:template>
</xsl:stylesheet>
