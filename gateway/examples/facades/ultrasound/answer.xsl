<?xml version="1.0" encoding="UTF-8"?>
<!-- returnCode is said by the settings; msg is what its screen shows, cwdm our code of a refusal, lsh our number. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:template match="/*">
    <xml>
      <msg><xsl:value-of select="Result/ResultText"/></msg>
      <xsl:if test="Result/ResultCode != '0'"><cwdm><xsl:value-of select="Result/ResultCode"/></cwdm></xsl:if>
      <lsh><xsl:value-of select="Result/GatewayTxnNo"/></lsh>
      <xsl:for-each select="HisChargeNo | HisRefundNo"><hisdh><xsl:value-of select="."/></hisdh></xsl:for-each>
      <xsl:for-each select="ViewUrl"><dz><xsl:value-of select="."/></dz></xsl:for-each>
      <xsl:for-each select="Visits/Visit/Sections/Section/Documents/Document">
        <bl><bt><xsl:value-of select="Title"/></bt><nr><xsl:value-of select="Content"/></nr></bl>
      </xsl:for-each>
    </xml>
  </xsl:template>
</xsl:stylesheet>
