<?xml version="1.0" encoding="UTF-8"?>
<!-- Our answer, or a fault, as ACK, for HL7 in the strings of a facade: MSH of the message turned round, MSA, and ERR for a no. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:g="urn:hospital-gateway:functions"
                exclude-result-prefixes="g">
  <xsl:template match="/Response | /Fault">
    <xsl:variable name="asked" select="Asked/Payload/HL7/MSH"/>
    <xsl:variable name="code" select="Result/ResultCode"/>
    <HL7>
      <MSH>
        <MSH.1><xsl:value-of select="$asked/MSH.1"/></MSH.1>
        <MSH.2><xsl:value-of select="$asked/MSH.2"/></MSH.2>
        <MSH.3><MSH.3.1><xsl:value-of select="$asked/MSH.5/MSH.5.1"/></MSH.3.1></MSH.3>
        <MSH.4><MSH.4.1><xsl:value-of select="$asked/MSH.6/MSH.6.1"/></MSH.4.1></MSH.4>
        <MSH.5><MSH.5.1><xsl:value-of select="$asked/MSH.3/MSH.3.1"/></MSH.5.1></MSH.5>
        <MSH.6><MSH.6.1><xsl:value-of select="$asked/MSH.4/MSH.4.1"/></MSH.6.1></MSH.6>
        <MSH.7><xsl:value-of select="g:date(Result/ProcessedAt, 'yyyyMMddHHmmss')"/></MSH.7>
        <MSH.9><MSH.9.1>ACK</MSH.9.1><MSH.9.2><xsl:value-of select="$asked/MSH.9/MSH.9.2"/></MSH.9.2></MSH.9>
        <MSH.10><xsl:value-of select="Result/GatewayTxnNo"/></MSH.10>
        <MSH.11>P</MSH.11>
        <MSH.12><xsl:choose><xsl:when test="$asked/MSH.12"><xsl:value-of select="$asked/MSH.12/MSH.12.1"/></xsl:when><xsl:otherwise>2.4</xsl:otherwise></xsl:choose></MSH.12>
      </MSH>
      <MSA>
        <MSA.1><xsl:choose>
          <xsl:when test="$code = '0'">AA</xsl:when>
          <xsl:when test="/Fault and Result/Retryable = 'true'">AR</xsl:when>
          <xsl:when test="/Fault and not($asked)">AR</xsl:when>
          <xsl:otherwise>AE</xsl:otherwise>
        </xsl:choose></MSA.1>
        <MSA.2><xsl:value-of select="$asked/MSH.10/MSH.10.1"/></MSA.2>
        <MSA.3><xsl:choose>
          <xsl:when test="$code = '0'"><xsl:value-of select="substring(Result/Warning, 1, 80)"/></xsl:when>
          <xsl:otherwise><xsl:value-of select="substring(Result/ResultText, 1, 80)"/></xsl:otherwise>
        </xsl:choose></MSA.3>
      </MSA>
      <xsl:if test="$code != '0'">
        <ERR>
          <ERR.3><ERR.3.1>207</ERR.3.1><ERR.3.2>Application internal error</ERR.3.2><ERR.3.3>HL70357</ERR.3.3></ERR.3>
          <ERR.4>E</ERR.4>
          <ERR.5><xsl:value-of select="$code"/></ERR.5>
          <ERR.8><xsl:value-of select="normalize-space(concat(Result/ResultText, ' ', Result/ResultTextEn, ' ', Path, ' ', Expected, ' ', ErrorId))"/></ERR.8>
        </ERR>
      </xsl:if>
    </HL7>
  </xsl:template>
</xsl:stylesheet>
