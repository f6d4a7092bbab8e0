<?xml version="1.0" encoding="UTF-8"?>
<!-- What all HL7 v3 messages share. An id is an item with a root (OID) and an extension, or has both itself. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:template name="header">
    <Header>
      <MessageId><xsl:value-of select="normalize-space(/*/id/@extension)"/></MessageId>
      <SentAt><xsl:value-of select="g:iso(/*/creationTime/@value)"/></SentAt>
    </Header>
  </xsl:template>

  <!-- The extension with this root below a context, else the first there is. -->
  <xsl:template name="extension">
    <xsl:param name="of"/>
    <xsl:param name="root" select="''"/>
    <xsl:param name="strict" select="false()"/>
    <xsl:variable name="all" select="$of/id/item[@extension != ''] | $of/id[@extension != '']"/>
    <xsl:choose>
      <xsl:when test="$all[@root = $root]"><xsl:value-of select="normalize-space($all[@root = $root][1]/@extension)"/></xsl:when>
      <xsl:when test="not($strict)"><xsl:value-of select="normalize-space($all[1]/@extension)"/></xsl:when>
    </xsl:choose>
  </xsl:template>

  <xsl:template name="name">
    <xsl:param name="of"/>
    <xsl:value-of select="($of/name//part/@value | $of/name/item/@value | $of/name[not(*)]/text() | $of/name/@value)[1]"/>
  </xsl:template>

  <xsl:template name="requisition-no">
    <xsl:variable name="marked" select="//id//*[@root = '2.16.156.10011.1.24'] | //id[@root = '2.16.156.10011.1.24']"/>
    <xsl:choose>
      <xsl:when test="$marked"><xsl:value-of select="normalize-space($marked[1]/@extension)"/></xsl:when>
      <xsl:otherwise>
        <xsl:call-template name="extension"><xsl:with-param name="of" select="(//observationRequest)[1]"/></xsl:call-template>
      </xsl:otherwise>
    </xsl:choose>
  </xsl:template>
</xsl:stylesheet>
