<?xml version="1.0" encoding="UTF-8"?>
<!-- MCCI_IN000002UV01: AA for a yes, AR for "not now, send it again", AE for anything else. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns="urn:hl7-org:v3"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:variable name="theirs" select="/*/Asked/Payload/*"/>
  <xsl:template match="/*">
    <MCCI_IN000002UV01 ITSVersion="XML_1.0">
      <id root="2.16.156.10011.2.5.1.1" extension="{Result/GatewayTxnNo}"/>
      <creationTime value="{g:date(Result/ProcessedAt, 'yyyyMMddHHmmss')}"/>
      <interactionId root="2.16.840.1.113883.1.6" extension="MCCI_IN000002UV01"/>
      <processingCode code="P"/>
      <processingModeCode/>
      <acceptAckCode code="NE"/>
      <receiver typeCode="RCV">
        <device classCode="DEV" determinerCode="INSTANCE"><id><item root="2.16.156.10011.2.5.1.3" extension="{($theirs/sender//id//@extension)[1]}"/></id></device>
      </receiver>
      <sender typeCode="SND">
        <device classCode="DEV" determinerCode="INSTANCE"><id><item root="2.16.156.10011.2.5.1.3" extension="{($theirs/receiver//id//@extension)[1]}"/></id></device>
      </sender>
      <acknowledgement>
        <xsl:attribute name="typeCode">
          <xsl:choose>
            <xsl:when test="Result/ResultCode = '0'">AA</xsl:when>
            <xsl:when test="Result/Retryable = 'true'">AR</xsl:when>
            <xsl:otherwise>AE</xsl:otherwise>
          </xsl:choose>
        </xsl:attribute>
        <targetMessage><id root="{$theirs/id/@root}" extension="{$theirs/id/@extension}"/></targetMessage>
        <acknowledgementDetail>
          <xsl:attribute name="typeCode"><xsl:choose><xsl:when test="Result/ResultCode = '0'">I</xsl:when><xsl:otherwise>E</xsl:otherwise></xsl:choose></xsl:attribute>
          <code code="{Result/ResultCode}"/>
          <text value="{Result/ResultText}"/>
          <xsl:if test="Path"><location value="{Path}"/></xsl:if>
        </acknowledgementDetail>
        <xsl:if test="Result/Warning">
          <acknowledgementDetail typeCode="W"><text value="{Result/Warning}"/></acknowledgementDetail>
        </xsl:if>
      </acknowledgement>
    </MCCI_IN000002UV01>
  </xsl:template>
</xsl:stylesheet>
