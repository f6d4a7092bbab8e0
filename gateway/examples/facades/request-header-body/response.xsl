<?xml version="1.0" encoding="UTF-8"?>
<!-- Our <Response> or <Fault> to <Response><Header/><Body/></Response>: ResultCode 0 or -1, our own code beside it. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:template match="/*">
    <Response>
      <Header>
        <TradeCode><xsl:value-of select="Asked/Function"/></TradeCode>
        <MessageId><xsl:value-of select="Result/MessageId"/></MessageId>
        <SendTime><xsl:value-of select="g:date(Result/ProcessedAt)"/></SendTime>
      </Header>
      <Body>
        <ResultCode><xsl:choose><xsl:when test="Result/ResultCode = '0'">0</xsl:when><xsl:otherwise>-1</xsl:otherwise></xsl:choose></ResultCode>
        <ResultContent><xsl:value-of select="Result/ResultText"/></ResultContent>
        <ErrorCode><xsl:if test="Result/ResultCode != '0'"><xsl:value-of select="Result/ResultCode"/></xsl:if></ErrorCode>
        <Retryable><xsl:value-of select="g:yes(Result/Retryable, '1', '0')"/></Retryable>
        <xsl:copy-of select="Result/GatewayTxnNo | Result/Duplicate | Result/Parked | Result/Forwarded | Result/Warning | Path | Expected | ErrorId"/>
        <xsl:copy-of select="*[not(self::Result or self::Asked or self::Path or self::Expected or self::ErrorId)]"/>
      </Body>
    </Response>
  </xsl:template>
</xsl:stylesheet>
