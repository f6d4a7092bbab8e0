<?xml version="1.0" encoding="UTF-8"?>
<!-- For a vendor that has names of its own for what our contract calls otherwise: its stylesheet imports this one and lists them,
     <xsl:variable name="words"><word theirs="sqdh">RequisitionNo</word>..</xsl:variable>. Everything else is as in request.xsl. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:exsl="http://exslt.org/common" exclude-result-prefixes="exsl">
  <xsl:import href="request.xsl"/>
  <xsl:variable name="words"/>
  <xsl:variable name="known" select="exsl:node-set($words)/word"/>

  <xsl:template match="/*">
    <xsl:variable name="renamed"><Request><xsl:apply-templates select="*" mode="rename"/></Request></xsl:variable>
    <xsl:for-each select="exsl:node-set($renamed)/*"><xsl:call-template name="request"/></xsl:for-each>
  </xsl:template>

  <xsl:template match="*" mode="rename">
    <xsl:variable name="word" select="$known[@theirs = local-name(current())]"/>
    <xsl:variable name="name"><xsl:value-of select="$word"/><xsl:if test="not($word)"><xsl:value-of select="local-name()"/></xsl:if></xsl:variable>
    <xsl:element name="{$name}">
      <xsl:choose>
        <xsl:when test="*"><xsl:apply-templates select="*" mode="rename"/></xsl:when>
        <xsl:otherwise><xsl:value-of select="."/></xsl:otherwise>
      </xsl:choose>
    </xsl:element>
  </xsl:template>
</xsl:stylesheet>
