<?xml version="1.0" encoding="UTF-8"?>
<!-- A report (RCMR_IN000002UV02 with a clinicalDocument) to our report; requisitions and orders are those it fulfils. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:import href="common.xsl"/>
  <xsl:variable name="function" select="g:value('function')"/>
  <xsl:variable name="document" select="(//clinicalDocument | //ClinicalDocument)[1]"/>
  <xsl:variable name="state" select="normalize-space($document/statusCode/@code)"/>
  <xsl:variable name="version" select="normalize-space($document/versionNumber/@value)"/>
  <xsl:variable name="author" select="$document/author[1]"/>
  <xsl:variable name="auditor" select="$document/legalAuthenticator[1] | $document/authenticator[not($document/legalAuthenticator)][1]"/>

  <xsl:template match="/RCMR_IN000002UV02" priority="1">
    <xsl:if test="not($document)"><xsl:value-of select="g:fail('There is no clinicalDocument.')"/></xsl:if>
    <Request>
      <xsl:call-template name="header"/>
      <ReportNo><xsl:call-template name="extension"><xsl:with-param name="of" select="$document"/></xsl:call-template></ReportNo>
      <ReportVersion><xsl:choose><xsl:when test="$version != ''"><xsl:value-of select="$version"/></xsl:when><xsl:otherwise>1</xsl:otherwise></xsl:choose></ReportVersion>
      <Action>
        <xsl:choose>
          <xsl:when test="$state = 'nullified' or $state = 'aborted' or $state = 'cancelled'">WITHDRAW</xsl:when>
          <xsl:when test="$state = 'active' or $state = 'new'">PRELIM</xsl:when>
          <xsl:when test="$state = 'completed' and $version &gt; 1">AMEND</xsl:when>
          <xsl:when test="$state = 'completed'">FINAL</xsl:when>
          <xsl:otherwise><xsl:value-of select="g:fail('statusCode is none of active, completed and nullified.')"/></xsl:otherwise>
        </xsl:choose>
      </Action>
      <Requisitions>
        <xsl:for-each select="$document//*[@root = '2.16.156.10011.1.24']">
          <Requisition><RequisitionNo><xsl:value-of select="normalize-space(@extension)"/></RequisitionNo></Requisition>
        </xsl:for-each>
      </Requisitions>
      <Orders>
        <xsl:for-each select="$document//*[@root = '2.16.156.10011.1.28']">
          <xsl:for-each select="g:items(translate(@extension, ',', '^'))"><Order><OrderNo><xsl:value-of select="."/></OrderNo></Order></xsl:for-each>
        </xsl:for-each>
      </Orders>
      <StudyNo><xsl:value-of select="normalize-space(($document//*[@root = '2.16.156.10011.1.32']/@extension)[1])"/></StudyNo>
      <xsl:call-template name="patient"><xsl:with-param name="of" select="($document/recordTarget/patient | $document/recordTarget/patientRole)[1]"/></xsl:call-template>
      <ReportType>
        <xsl:choose>
          <xsl:when test="starts-with($function, 'Exam')">LAB</xsl:when>
          <xsl:when test="starts-with($function, 'Pathology')">PATH</xsl:when>
          <xsl:otherwise>EXAM</xsl:otherwise>
        </xsl:choose>
      </ReportType>
      <Findings><xsl:call-template name="section"><xsl:with-param name="codes" select="'|59776-5|检查所见|影像所见|所见|'"/></xsl:call-template></Findings>
      <Impression><xsl:call-template name="section"><xsl:with-param name="codes" select="'|19005-8|检查结论|诊断意见|诊断结论|结论|'"/></xsl:call-template></Impression>
      <xsl:call-template name="person"><xsl:with-param name="of" select="$author"/><xsl:with-param name="as" select="'Reporter'"/></xsl:call-template>
      <ReportedAt><xsl:value-of select="g:iso(($author/time/@value | $document/effectiveTime/@value)[last()])"/></ReportedAt>
      <xsl:if test="$auditor">
        <xsl:call-template name="person"><xsl:with-param name="of" select="$auditor"/><xsl:with-param name="as" select="'Auditor'"/></xsl:call-template>
        <AuditedAt><xsl:value-of select="g:iso($auditor/time/@value)"/></AuditedAt>
      </xsl:if>
      <Modality><xsl:value-of select="normalize-space($document/code/@code)"/></Modality>
      <ViewerUrl><xsl:value-of select="normalize-space(($document//reference/@value)[1])"/></ViewerUrl>
      <WithdrawReason><xsl:value-of select="($document/statusCode/originalText/@value | $document/reasonCode//displayName/@value)[1]"/></WithdrawReason>
    </Request>
  </xsl:template>

  <xsl:template match="/*">
    <xsl:value-of select="g:fail('This is no RCMR_IN000002UV02.')"/>
  </xsl:template>

  <xsl:template name="person">
    <xsl:param name="of"/>
    <xsl:param name="as"/>
    <xsl:element name="{$as}Code"><xsl:call-template name="extension"><xsl:with-param name="of" select="$of/assignedEntity | $of/assignedAuthor"/></xsl:call-template></xsl:element>
    <xsl:element name="{$as}Name"><xsl:call-template name="name"><xsl:with-param name="of" select="$of//assignedPerson"/></xsl:call-template></xsl:element>
  </xsl:template>
</xsl:stylesheet>
