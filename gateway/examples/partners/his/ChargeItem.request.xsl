<?xml version="1.0" encoding="UTF-8"?>
<!-- A charge: Costs is what it costs, Charges what is paid. Without them HIS takes its own price. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:import href="head.xsl"/>
  <xsl:template match="/Request">
    <Request>
      <xsl:call-template name="head"/>
      <Body>
        <BillSerial><xsl:value-of select="ChargeNo"/></BillSerial>
        <ApplyNo><xsl:value-of select="RequisitionNo"/></ApplyNo>
        <xsl:call-template name="patient"/>
        <ExecDept><xsl:value-of select="PerformDeptCode"/></ExecDept>
        <OccurTime><xsl:value-of select="g:date(OccurredAt, 'yyyy-MM-dd HH:mm:ss')"/></OccurTime>
        <Items>
          <xsl:for-each select="Lines/Line">
            <Item>
              <LineNo><xsl:value-of select="LineNo"/></LineNo>
              <ItemCode><xsl:value-of select="ChargeCode"/></ItemCode>
              <ItemName><xsl:value-of select="ItemName"/></ItemName>
              <Qty><xsl:value-of select="Quantity"/></Qty>
              <Price><xsl:value-of select="UnitPrice"/></Price>
              <Costs><xsl:value-of select="ListAmount"/></Costs>
              <Charges><xsl:value-of select="ActualAmount"/></Charges>
            </Item>
          </xsl:for-each>
        </Items>
      </Body>
    </Request>
  </xsl:template>
</xsl:stylesheet>
