<?xml version="1.0" encoding="UTF-8"?>
<!-- How far an order is. One that nobody knows is 404 there; a fault is told as everywhere. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:import href="answer.xsl"/>
  <xsl:template match="/Response[Result/ResultCode = '0']">
    <Json>
      <xsl:choose>
        <xsl:when test="Requisitions/Requisition">
          <code type="number">200</code>
          <msg>成功</msg>
        </xsl:when>
        <xsl:otherwise>
          <code type="number">404</code>
          <msg>没有该订单，或尚未支付</msg>
        </xsl:otherwise>
      </xsl:choose>
      <data type="object">
        <total type="number"><xsl:value-of select="TotalCount"/></total>
        <xsl:for-each select="Requisitions/Requisition">
          <orders type="array">
            <orderNo><xsl:value-of select="RequisitionNo"/></orderNo>
            <status type="number"><xsl:value-of select="StatusCode"/></status>
            <refundable type="boolean"><xsl:value-of select="RefundAllowed"/></refundable>
          </orders>
        </xsl:for-each>
      </data>
    </Json>
  </xsl:template>
</xsl:stylesheet>
