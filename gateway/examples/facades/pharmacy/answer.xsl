<?xml version="1.0" encoding="UTF-8"?>
<!-- 结果 JG: 成功, 失败, or 重发 for what is to be sent again; 说明 SM with our code behind it; 流水号 LSH. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:template match="/*">
    <root>
      <JG>
        <xsl:choose>
          <xsl:when test="Result/ResultCode = '0'">成功</xsl:when>
          <xsl:when test="Result/Retryable = 'true'">重发</xsl:when>
          <xsl:otherwise>失败</xsl:otherwise>
        </xsl:choose>
      </JG>
      <SM>
        <xsl:choose>
          <xsl:when test="Result/Duplicate = 'true'">重复报文，已处理</xsl:when>
          <xsl:otherwise><xsl:value-of select="Result/ResultText"/></xsl:otherwise>
        </xsl:choose>
        <xsl:if test="Result/ResultCode != '0'">（<xsl:value-of select="Result/ResultCode"/>）</xsl:if>
      </SM>
      <LSH><xsl:value-of select="Result/GatewayTxnNo"/></LSH>
    </root>
  </xsl:template>
</xsl:stylesheet>
