<?xml version="1.0" encoding="UTF-8"?>
<!-- The boolean is said by the style, why not by errMsg; this stands in Msg of the ESBEntry. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:template match="/*">
    <RETURN>
      <xsl:if test="Result/ResultCode != '0'"><REASON><xsl:value-of select="Result/ResultCode"/></REASON></xsl:if>
      <TXN_NO><xsl:value-of select="Result/GatewayTxnNo"/></TXN_NO>
      <xsl:for-each select="HisChargeNo | HisRefundNo"><HIS_NO><xsl:value-of select="."/></HIS_NO></xsl:for-each>
      <xsl:for-each select="ViewUrl"><RECORD_URL><xsl:value-of select="."/></RECORD_URL></xsl:for-each>
      <xsl:for-each select="Visits/Visit/Sections/Section/Documents/Document">
        <RECORD><TITLE><xsl:value-of select="Title"/></TITLE><TEXT><xsl:value-of select="Content"/></TEXT></RECORD>
      </xsl:for-each>
    </RETURN>
  </xsl:template>
</xsl:stylesheet>
