<?xml version="1.0" encoding="UTF-8"?>
<!-- RetCode by the kind of our code (the digits behind its hyphen): E02 unknown, E05 item without a row (send it
     again when the hospital has it), E07 another content or
     version under the same number, E08 not paid, E99 send it again later, E01 everything else. RetMsg says why. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:template match="/*">
    <xsl:variable name="kind" select="substring-after(Result/ResultCode, '-')"/>
    <Output>
      <RetCode>
        <xsl:choose>
          <xsl:when test="Result/ResultCode = '0'">0000</xsl:when>
          <xsl:when test="$kind = '404'">E02</xsl:when>
          <xsl:when test="$kind = '422'">E05</xsl:when>
          <xsl:when test="$kind = '409' or $kind = '410'">E07</xsl:when>
          <xsl:when test="$kind = '402'">E08</xsl:when>
          <xsl:when test="Result/Retryable = 'true'">E99</xsl:when>
          <xsl:otherwise>E01</xsl:otherwise>
        </xsl:choose>
      </RetCode>
      <RetMsg><xsl:value-of select="Result/ResultText"/></RetMsg>
      <TxnNo><xsl:value-of select="Result/GatewayTxnNo"/></TxnNo>
    </Output>
  </xsl:template>
</xsl:stylesheet>
