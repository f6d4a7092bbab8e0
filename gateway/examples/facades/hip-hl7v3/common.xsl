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

  <!-- Ours, of a patient of theirs. -->
  <xsl:template name="patient">
    <xsl:param name="of"/>
    <xsl:variable name="person" select="$of/patientPerson"/>
    <Patient>
      <PatientId><xsl:call-template name="extension"><xsl:with-param name="of" select="$of"/><xsl:with-param name="root" select="'2.16.156.10011.2.5.1.5'"/></xsl:call-template></PatientId>
      <EmpiId><xsl:call-template name="extension"><xsl:with-param name="of" select="$of"/><xsl:with-param name="root" select="'2.16.156.10011.2.5.1.4'"/><xsl:with-param name="strict" select="true()"/></xsl:call-template></EmpiId>
      <PatientName><xsl:call-template name="name"><xsl:with-param name="of" select="$person"/></xsl:call-template></PatientName>
      <SexCode>
        <xsl:variable name="sex" select="normalize-space($person/administrativeGenderCode/@code)"/>
        <xsl:choose>
          <xsl:when test="$sex = 'M'">1</xsl:when>
          <xsl:when test="$sex = 'F'">2</xsl:when>
          <xsl:when test="$sex = ''">9</xsl:when>
          <xsl:otherwise><xsl:value-of select="$sex"/></xsl:otherwise>
        </xsl:choose>
      </SexCode>
      <BirthDate><xsl:value-of select="g:iso-date($person/birthTime/@value)"/></BirthDate>
      <AgeText><xsl:value-of select="$person/birthTime/originalText/@value"/></AgeText>
      <xsl:variable name="card" select="normalize-space(($person/id/item/@extension | $person/id/@extension)[1])"/>
      <xsl:if test="$card != ''">
        <IdType>01</IdType>
        <IdNo><xsl:value-of select="g:id18($card)"/></IdNo>
      </xsl:if>
      <Phone><xsl:value-of select="($person/telecom/item/@value | $person/telecom/@value | $of/telecom/item/@value)[1]"/></Phone>
      <Address><xsl:value-of select="($person/addr//part/@value | $of/addr//part/@value)[1]"/></Address>
    </Patient>
  </xsl:template>

  <!-- The text of the first section with one of these codes or names, each between bars. -->
  <xsl:template name="section">
    <xsl:param name="codes"/>
    <xsl:variable name="found" select="(//section[contains($codes, concat('|', normalize-space(code/@code), '|')) and code/@code != '' or contains($codes, concat('|', normalize-space((code/displayName/@value | code/@displayName | title)[1]), '|')) and (code/displayName/@value | code/@displayName | title) != ''])[1]"/>
    <xsl:value-of select="$found/text[not(@value)] | $found/text/@value"/>
  </xsl:template>
</xsl:stylesheet>
