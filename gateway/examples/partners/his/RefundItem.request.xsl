<?xml version="1.0" encoding="UTF-8"?>
<!-- BillSys is the system that had charged. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:import href="head.xsl"/>
  <xsl:template match="/Request">
    <Request>
      <xsl:call-template name="head"/>
      <Body>
        <ReturnSerial><xsl:value-of select="RefundNo"/></ReturnSerial>
        <BillSerial><xsl:value-of select="OriginalChargeNo"/></BillSerial>
        <BillSys><xsl:value-of select="SourceSystem"/></BillSys>
        <Reason><xsl:value-of select="ReasonText"/></Reason>
        <Items>
          <xsl:for-each select="Lines/Line">
            <Item>
              <LineNo><xsl:value-of select="OriginalLineNo"/></LineNo>
              <ItemCode><xsl:value-of select="ChargeCode"/></ItemCode>
              <Qty><xsl:value-of select="RefundQuantity"/></Qty>
              <Charges><xsl:value-of select="RefundAmount"/></Charges>
            </Item>
          </xsl:for-each>
        </Items>
      </Body>
    </Request>
  </xsl:template>
</xsl:stylesheet>
