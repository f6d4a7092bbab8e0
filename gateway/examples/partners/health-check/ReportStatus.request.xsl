<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:template match="/Request">
    <通知>
      <消息号><xsl:value-of select="g:value('message_id')"/></消息号>
      <申请单号><xsl:value-of select="RequisitionNo"/></申请单号>
      <状态>
        <xsl:choose>
          <xsl:when test="Event = 'BOOK'">已预约</xsl:when>
          <xsl:when test="Event = 'REGISTER'">已登记</xsl:when>
          <xsl:when test="Event = 'EXAM_DONE'">已检查</xsl:when>
          <xsl:when test="Event = 'PRELIM' or Event = 'FINAL'">已报告</xsl:when>
          <xsl:when test="Event = 'UNBOOK' or Event = 'CANCEL_REG' or Event = 'REJECT' or Event = 'STOP'">已取消</xsl:when>
          <xsl:otherwise>已检查</xsl:otherwise>
        </xsl:choose>
      </状态>
      <时间><xsl:value-of select="g:date(OccurredAt, 'yyyy年MM月dd日 HH:mm')"/></时间>
    </通知>
  </xsl:template>
</xsl:stylesheet>
