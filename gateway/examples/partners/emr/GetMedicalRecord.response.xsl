<?xml version="1.0" encoding="UTF-8"?>
<!-- The CDA documents pass through as they are. Documents of one section stand together. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:key name="section" match="Document" use="concat(../VisitNO, '|', SectionCode)"/>
  <xsl:template match="/Response">
    <Response>
      <Visits>
        <xsl:for-each select="Visit">
          <Visit>
            <VisitType><xsl:value-of select="VisitTypeCode"/></VisitType>
            <VisitNo><xsl:value-of select="VisitNO"/></VisitNo>
            <DeptName><xsl:value-of select="DeptName"/></DeptName>
            <Sections>
              <xsl:for-each select="Document[generate-id() = generate-id(key('section', concat(../VisitNO, '|', SectionCode))[1])]">
                <Section>
                  <Code><xsl:value-of select="SectionCode"/></Code>
                  <Name><xsl:value-of select="DocTitle"/></Name>
                  <Documents>
                    <xsl:for-each select="key('section', concat(../VisitNO, '|', SectionCode))">
                      <Document>
                        <DocId><xsl:value-of select="DocID"/></DocId>
                        <Type><xsl:value-of select="DocType"/></Type>
                        <Title><xsl:value-of select="DocTitle"/></Title>
                        <At><xsl:value-of select="g:iso(DocTime)"/></At>
                        <Content><xsl:value-of select="DocContent"/></Content>
                      </Document>
                    </xsl:for-each>
                  </Documents>
                </Section>
              </xsl:for-each>
            </Sections>
          </Visit>
        </xsl:for-each>
      </Visits>
      <xsl:if test="not(ViewURL)"><TotalCount><xsl:value-of select="count(Visit)"/></TotalCount></xsl:if>
      <ViewUrl><xsl:value-of select="ViewURL"/></ViewUrl>
    </Response>
  </xsl:template>
</xsl:stylesheet>
