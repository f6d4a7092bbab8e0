<?xml version="1.0" encoding="UTF-8"?>
<!-- Value is what was asked for, else the number under which it was taken; of a Fail our code and why. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:template match="/*">
    <Result>
      <xsl:choose>
        <xsl:when test="Result/ResultCode = '0'">
          <State>Success</State>
          <Value><xsl:value-of select="(ViewUrl | HisChargeNo | HisRefundNo | Result/GatewayTxnNo)[last()]"/></Value>
        </xsl:when>
        <xsl:otherwise>
          <State>Fail</State>
          <Value><xsl:value-of select="concat(Result/ResultCode, ' ', Result/ResultText)"/></Value>
        </xsl:otherwise>
      </xsl:choose>
    </Result>
  </xsl:template>
</xsl:stylesheet>
