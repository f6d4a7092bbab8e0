<?xml version="1.0" encoding="UTF-8"?>
<!-- Elements are the first letters of what they are called; lists are joined by ^. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:template match="/Request">
    <xml>
      <msgid><xsl:value-of select="g:value('message_id')"/></msgid>
      <sqdh><xsl:value-of select="RequisitionNo"/></sqdh>
      <brid><xsl:value-of select="Patient/PatientId"/></brid>
      <xm><xsl:value-of select="Patient/PatientName"/></xm>
      <xb><xsl:choose><xsl:when test="Patient/SexCode = '1'">男</xsl:when><xsl:when test="Patient/SexCode = '2'">女</xsl:when><xsl:otherwise>未知</xsl:otherwise></xsl:choose></xb>
      <csrq><xsl:value-of select="g:date(Patient/BirthDate, 'yyyyMMdd')"/></csrq>
      <jzh><xsl:value-of select="Visit/VisitNo"/></jzh>
      <jzlx><xsl:choose><xsl:when test="Visit/VisitType = '1'">门诊</xsl:when><xsl:when test="Visit/VisitType = '2'">急诊</xsl:when><xsl:when test="Visit/VisitType = '3'">住院</xsl:when><xsl:otherwise>其他</xsl:otherwise></xsl:choose></jzlx>
      <sqys><xsl:value-of select="OrderingDoctorName"/></sqys>
      <sqsj><xsl:value-of select="g:date(OrderedAt, 'yyyy-MM-dd HH:mm:ss')"/></sqsj>
      <lczd><xsl:value-of select="Diagnoses/Diagnosis[Type = 'MAIN']/Name"/></lczd>
      <yzid><xsl:value-of select="g:join(Items/Item/OrderNo, '^')"/></yzid>
      <xmdm><xsl:value-of select="g:join(Items/Item/ItemCode, '^')"/></xmdm>
      <xmmc><xsl:value-of select="g:join(Items/Item/ItemName, '^')"/></xmmc>
    </xml>
  </xsl:template>
</xsl:stylesheet>
