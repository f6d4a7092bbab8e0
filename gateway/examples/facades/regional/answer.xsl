<?xml version="1.0" encoding="UTF-8"?>
<!-- Code: 0 yes, 99 not now (send it again), -3 not allowed, -4 unknown, -1 everything else; Message says why. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:template match="/*">
    <xsl:variable name="kind" select="substring-after(Result/ResultCode, '-')"/>
    <Response>
      <MessageHeader>
        <ServiceCode><xsl:value-of select="Asked/Function"/></ServiceCode>
        <MessageId><xsl:value-of select="Asked/Payload/Request/MessageHeader/MessageId"/></MessageId>
        <SendTime><xsl:value-of select="g:date(Result/ProcessedAt, 'yyyy-MM-dd HH:mm:ss')"/></SendTime>
      </MessageHeader>
      <MessageBody>
        <Result>
          <Code>
            <xsl:choose>
              <xsl:when test="Result/ResultCode = '0'">0</xsl:when>
              <xsl:when test="Result/Retryable = 'true'">99</xsl:when>
              <xsl:when test="$kind = '401' or $kind = '403'">-3</xsl:when>
              <xsl:when test="$kind = '404'">-4</xsl:when>
              <xsl:otherwise>-1</xsl:otherwise>
            </xsl:choose>
          </Code>
          <Message><xsl:value-of select="Result/ResultText"/></Message>
        </Result>
        <xsl:for-each select="Visits/Visit">
          <Visit>
            <VisitNo><xsl:value-of select="VisitNo"/></VisitNo>
            <VisitType><xsl:value-of select="VisitType"/></VisitType>
            <xsl:for-each select="Sections/Section/Documents/Document">
              <Document>
                <DocumentNo><xsl:value-of select="DocId"/></DocumentNo>
                <DocumentType><xsl:value-of select="Type"/></DocumentType>
                <Title><xsl:value-of select="Title"/></Title>
                <CreateTime><xsl:value-of select="g:date(At, 'yyyy-MM-dd HH:mm:ss')"/></CreateTime>
                <Text><xsl:value-of select="Content"/></Text>
              </Document>
            </xsl:for-each>
          </Visit>
        </xsl:for-each>
      </MessageBody>
    </Response>
  </xsl:template>
</xsl:stylesheet>
