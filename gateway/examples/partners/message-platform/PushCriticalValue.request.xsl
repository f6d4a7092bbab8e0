<?xml version="1.0" encoding="UTF-8"?>
<!-- A prompt leaves the house for telephones: it says where and how urgent, and nothing of who the patient is. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:template match="/Request">
    <Form>
      <extno><xsl:value-of select="g:value('message_id')"/></extno>
      <to>
        <xsl:choose>
          <xsl:when test="TargetDoctors/Doctor/Code"><xsl:value-of select="g:join(TargetDoctors/Doctor/Code, ',')"/></xsl:when>
          <xsl:when test="TargetWardCode"><xsl:value-of select="TargetWardCode"/></xsl:when>
          <xsl:otherwise>DUTY</xsl:otherwise>
        </xsl:choose>
      </to>
      <level>
        <xsl:choose>
          <xsl:when test="OverdueStage">OVERDUE</xsl:when>
          <xsl:otherwise>CRITICAL</xsl:otherwise>
        </xsl:choose>
      </level>
      <critical_id><xsl:value-of select="CriticalId"/></critical_id>
      <text>
        <xsl:text>危急值 </xsl:text><xsl:value-of select="CriticalId"/>
        <xsl:text>，</xsl:text><xsl:value-of select="Visit/WardName"/>
        <xsl:if test="Visit/BedNo"><xsl:text> </xsl:text><xsl:value-of select="Visit/BedNo"/><xsl:text>床</xsl:text></xsl:if>
        <xsl:text>，请立即登录系统接收</xsl:text>
      </text>
    </Form>
  </xsl:template>
</xsl:stylesheet>
