<?xml version="1.0" encoding="UTF-8"?>
<!-- That a report is there, to the ward or else the department of the visit; what it says is read in the hospital's own systems. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:template match="/Request">
    <xsl:if test="not(Visit/WardCode or Visit/DeptCode)">
      <xsl:value-of select="g:skip('nobody is named who could be told')"/>
    </xsl:if>
    <Form>
      <extno><xsl:value-of select="g:value('message_id')"/></extno>
      <to><xsl:value-of select="(Visit/WardCode | Visit/DeptCode)[last()]"/></to>
      <level>
        <xsl:choose>
          <xsl:when test="Action = 'FINAL'">NORMAL</xsl:when>
          <xsl:otherwise>CHANGED</xsl:otherwise>
        </xsl:choose>
      </level>
      <report_no><xsl:value-of select="ReportNo"/></report_no>
      <text>
        <xsl:text>申请单 </xsl:text><xsl:value-of select="g:join(Requisitions/Requisition/RequisitionNo, '、')"/>
        <xsl:choose>
          <xsl:when test="Action = 'WITHDRAW'">的报告已撤回</xsl:when>
          <xsl:when test="Action = 'AMEND'">的报告已修订</xsl:when>
          <xsl:when test="Action = 'PRELIM'">的初步报告已发布</xsl:when>
          <xsl:otherwise>的报告已发布</xsl:otherwise>
        </xsl:choose>
      </text>
    </Form>
  </xsl:template>
</xsl:stylesheet>
