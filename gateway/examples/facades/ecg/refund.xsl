<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:import href="common.xsl"/>
  <xsl:template match="/Request">
    <Request>
      <xsl:call-template name="header"/>
      <RefundNo><xsl:value-of select="normalize-space(BackID)"/></RefundNo>
      <OriginalChargeNo><xsl:value-of select="normalize-space(ChargeID)"/></OriginalChargeNo>
      <Initiator>PERFORM_DEPT</Initiator>
      <ReasonCode>OTHER</ReasonCode>
      <ReasonText><xsl:value-of select="Reason"/></ReasonText>
      <Lines>
        <Line>
          <OriginalLineNo><xsl:value-of select="normalize-space(Line)"/></OriginalLineNo>
          <ChargeCode><xsl:value-of select="normalize-space(Code)"/></ChargeCode>
          <RefundQuantity><xsl:value-of select="normalize-space(Quantity)"/></RefundQuantity>
        </Line>
      </Lines>
    </Request>
  </xsl:template>
</xsl:stylesheet>
