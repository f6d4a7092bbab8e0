<?xml version="1.0" encoding="UTF-8"?>
<!-- What has happened to a requisition: processStep holds it, by its Chinese name, our word, or a code with a row in the table status. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:import href="common.xsl"/>
  <xsl:variable name="words">|BOOK|UNBOOK|REGISTER|CANCEL_REG|EXAM_DONE|STOP|REJECT|PRELIM|FINAL|WITHDRAW|</xsl:variable>

  <xsl:template match="/*">
    <xsl:variable name="step" select="(//processStep)[1]"/>
    <xsl:variable name="code" select="normalize-space($step/code/@code)"/>
    <xsl:variable name="name" select="normalize-space(($step/code/displayName/@value | $step/code/@displayName)[1])"/>
    <xsl:variable name="performer" select="(//performer/assignedEntity)[1]"/>
    <xsl:if test="not($step)"><xsl:value-of select="g:fail('There is no processStep.')"/></xsl:if>
    <Request>
      <xsl:call-template name="header"/>
      <RequisitionNo><xsl:call-template name="requisition-no"/></RequisitionNo>
      <Event>
        <xsl:choose>
          <xsl:when test="contains($words, concat('|', $code, '|')) and $code != ''"><xsl:value-of select="$code"/></xsl:when>
          <xsl:when test="$name = '检查预约' or $name = '预约'">BOOK</xsl:when>
          <xsl:when test="$name = '取消预约'">UNBOOK</xsl:when>
          <xsl:when test="$name = '检查登记' or $name = '登记' or $name = '检查到检' or $name = '到检' or $name = '标本接收'">REGISTER</xsl:when>
          <xsl:when test="$name = '取消登记' or $name = '取消检查登记'">CANCEL_REG</xsl:when>
          <xsl:when test="$name = '检查完成' or $name = '检查结束'">EXAM_DONE</xsl:when>
          <xsl:when test="$name = '检查终止' or $name = '终止'">STOP</xsl:when>
          <xsl:when test="$name = '退单' or $name = '拒绝执行' or $name = '标本拒收'">REJECT</xsl:when>
          <xsl:when test="$name = '初步报告'">PRELIM</xsl:when>
          <xsl:when test="$name = '报告审核' or $name = '报告已审核' or $name = '审核'">FINAL</xsl:when>
          <xsl:when test="$name = '报告召回' or $name = '召回'">WITHDRAW</xsl:when>
          <xsl:otherwise><xsl:value-of select="g:code('status', $code)"/></xsl:otherwise>
        </xsl:choose>
      </Event>
      <OccurredAt><xsl:value-of select="g:iso(($step/effectiveTime/@value | //performer/time/@value | //performer/time/low/@value | /*/creationTime/@value)[1])"/></OccurredAt>
      <Items>
        <xsl:for-each select="//placerOrder/id/item | //placerOrder/id[@extension]">
          <xsl:for-each select="g:items(translate(@extension, ',', '^'))"><Item><OrderNo><xsl:value-of select="."/></OrderNo></Item></xsl:for-each>
        </xsl:for-each>
      </Items>
      <StudyNo><xsl:value-of select="normalize-space((//*[@root = '2.16.156.10011.1.32']/@extension)[1])"/></StudyNo>
      <PerformerCode><xsl:call-template name="extension"><xsl:with-param name="of" select="$performer"/></xsl:call-template></PerformerCode>
      <PerformerName><xsl:call-template name="name"><xsl:with-param name="of" select="$performer/assignedPerson"/></xsl:call-template></PerformerName>
      <Reason><xsl:value-of select="(//processStep/reasonCode/originalText/@value | //reasonCode//displayName/@value | //reasonCode//originalText/@value)[1]"/></Reason>
    </Request>
  </xsl:template>
</xsl:stylesheet>
