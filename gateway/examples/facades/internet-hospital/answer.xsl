<?xml version="1.0" encoding="UTF-8"?>
<!-- code 200 is yes; else the digits of our code: 401, 409, 422, 503 ... msg is what the user is shown. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:template match="/*">
    <Json>
      <code type="number">
        <xsl:choose>
          <xsl:when test="Result/ResultCode = '0'">200</xsl:when>
          <xsl:otherwise><xsl:value-of select="substring-after(Result/ResultCode, '-')"/></xsl:otherwise>
        </xsl:choose>
      </code>
      <msg>
        <xsl:choose>
          <xsl:when test="GatewayStatus = 'HELD'">已接收，支付后执行</xsl:when>
          <xsl:otherwise><xsl:value-of select="Result/ResultText"/></xsl:otherwise>
        </xsl:choose>
      </msg>
      <retry type="boolean"><xsl:value-of select="Result/Retryable"/></retry>
      <data type="object">
        <txnNo><xsl:value-of select="Result/GatewayTxnNo"/></txnNo>
        <xsl:if test="RequisitionNo"><orderNo><xsl:value-of select="RequisitionNo"/></orderNo></xsl:if>
        <xsl:if test="GatewayStatus"><paid type="boolean"><xsl:value-of select="GatewayStatus != 'HELD'"/></paid></xsl:if>
      </data>
    </Json>
  </xsl:template>
</xsl:stylesheet>
