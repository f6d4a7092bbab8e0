<?xml version="1.0" encoding="UTF-8"?>
<!-- returnCode is said by the settings; 说明 is what its screen shows. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:template match="/*">
    <返回>
      <说明>
        <xsl:choose>
          <xsl:when test="GatewayStatus = 'HELD'">已接收，收费后执行</xsl:when>
          <xsl:when test="Result/ResultCode = '0'">收到</xsl:when>
          <xsl:when test="Result/ResultCode = 'REQ-409'">申请单号已用于其他内容，修改请用操作“修改”</xsl:when>
          <xsl:otherwise><xsl:value-of select="Result/ResultText"/></xsl:otherwise>
        </xsl:choose>
      </说明>
      <网关代码><xsl:value-of select="Result/ResultCode"/></网关代码>
      <流水号><xsl:value-of select="Result/GatewayTxnNo"/></流水号>
    </返回>
  </xsl:template>
</xsl:stylesheet>
