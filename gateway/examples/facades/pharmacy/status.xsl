<?xml version="1.0" encoding="UTF-8"?>
<!-- 单据号 DJH, 状态 ZT, 时间 SJ, 药房单号 YFDH, 操作员 CZY, 原因 YY. A state that is not below needs a row in the code table status. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:template match="/root">
    <Request>
      <RequisitionNo><xsl:value-of select="normalize-space(DJH)"/></RequisitionNo>
      <Event>
        <xsl:variable name="state" select="normalize-space(ZT)"/>
        <xsl:choose>
          <xsl:when test="$state = '已接单'">BOOK</xsl:when>
          <xsl:when test="$state = '已配药'">REGISTER</xsl:when>
          <xsl:when test="$state = '撤销配药'">CANCEL_REG</xsl:when>
          <xsl:when test="$state = '已签收'">EXAM_DONE</xsl:when>
          <xsl:when test="$state = '缺药'">REJECT</xsl:when>
          <xsl:otherwise><xsl:value-of select="g:code('status', $state)"/></xsl:otherwise>
        </xsl:choose>
      </Event>
      <OccurredAt><xsl:value-of select="g:iso(SJ)"/></OccurredAt>
      <AccessionNo><xsl:value-of select="normalize-space(YFDH)"/></AccessionNo>
      <PerformerName><xsl:value-of select="CZY"/></PerformerName>
      <Reason><xsl:value-of select="YY"/></Reason>
    </Request>
  </xsl:template>
</xsl:stylesheet>
