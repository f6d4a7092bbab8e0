<?xml version="1.0" encoding="UTF-8"?>
<!-- What it may know of a visit: its number, the policy and what happened; nothing of the patient. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" xmlns:n="http://claims.insurer.example.org/notify/v2" exclude-result-prefixes="g">
  <xsl:template match="/Request">
    <n:notifyVisit>
      <n:notice>
        <n:noticeNo><xsl:value-of select="EventNo"/></n:noticeNo>
        <n:event>
          <xsl:choose>
            <xsl:when test="Event = 'SETTLE'">SETTLED</xsl:when>
            <xsl:when test="Event = 'UNSETTLE'">REVERSED</xsl:when>
            <xsl:when test="Event = 'DISCHARGE'">DISCHARGED</xsl:when>
            <xsl:otherwise><xsl:value-of select="g:skip('The insurer is told of settlements and discharges only.')"/></xsl:otherwise>
          </xsl:choose>
        </n:event>
        <n:hospitalCode><xsl:value-of select="Header/HospitalCode"/></n:hospitalCode>
        <n:visitNo><xsl:value-of select="Visit/VisitNo"/></n:visitNo>
        <xsl:if test="Visit/InsuranceNo"><n:policyNo><xsl:value-of select="Visit/InsuranceNo"/></n:policyNo></xsl:if>
        <n:occurredAt><xsl:value-of select="OccurredAt"/></n:occurredAt>
      </n:notice>
    </n:notifyVisit>
  </xsl:template>
</xsl:stylesheet>
