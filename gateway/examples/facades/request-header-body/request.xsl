<?xml version="1.0" encoding="UTF-8"?>
<!-- <Request><Header/><Body/></Request> to a request of our contract. Fields have the contract's names, in any order and in Body or
     beside Header; times, sexes, kinds of visit, yes and no and the words of states may be written as is usual. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:g="urn:hospital-gateway:functions" exclude-result-prefixes="g">
  <xsl:variable name="times">|PaidAt|OrderedAt|OccurredAt|ScheduledAt|ReportedAt|AuditedAt|ExamAt|FoundAt|ConfirmedAt|ReceiveDeadline|HandleDeadline|CollectedAt|ActedAt|OrderedFrom|OrderedTo|BookedFrom|BookedTo|</xsl:variable>
  <xsl:variable name="days">|BirthDate|DateFrom|DateTo|</xsl:variable>
  <xsl:variable name="truths">|Pregnant|Infectious|Critical|IncludeOrders|TotalsOnly|</xsl:variable>
  <xsl:variable name="operation" select="g:value('operation')"/>

  <xsl:template match="/*" name="request">
    <Request>
      <Header>
        <MessageId><xsl:value-of select="normalize-space((Header/MessageId | Header/MessageID | Header/MsgId | Header/MsgID | Header/MsgNo)[normalize-space()][1])"/></MessageId>
        <HospitalCode><xsl:value-of select="normalize-space(Header/HospitalCode)"/></HospitalCode>
        <BranchCode><xsl:value-of select="normalize-space(Header/BranchCode)"/></BranchCode>
        <SentAt><xsl:value-of select="g:iso((Header/SentAt | Header/SendTime | Header/MsgDate)[1])"/></SentAt>
        <OperatorCode><xsl:value-of select="normalize-space(Header/OperatorCode)"/></OperatorCode>
        <OperatorName><xsl:value-of select="Header/OperatorName"/></OperatorName>
      </Header>
      <xsl:choose>
        <xsl:when test="Body"><xsl:apply-templates select="Body/*" mode="field"/></xsl:when>
        <xsl:otherwise><xsl:apply-templates select="*[not(self::Header)]" mode="field"/></xsl:otherwise>
      </xsl:choose>
    </Request>
  </xsl:template>

  <xsl:template match="*" mode="field">
    <xsl:variable name="marked" select="concat('|', local-name(), '|')"/>
    <xsl:copy>
      <xsl:choose>
        <xsl:when test="*"><xsl:apply-templates select="*" mode="field"/></xsl:when>
        <xsl:when test="contains($times, $marked)"><xsl:value-of select="g:iso(.)"/></xsl:when>
        <xsl:when test="contains($days, $marked)"><xsl:value-of select="g:iso-date(.)"/></xsl:when>
        <xsl:when test="contains($truths, $marked)"><xsl:value-of select="g:yes(.)"/></xsl:when>
        <xsl:otherwise><xsl:value-of select="."/></xsl:otherwise>
      </xsl:choose>
    </xsl:copy>
  </xsl:template>

  <xsl:template match="SexCode" mode="field">
    <xsl:variable name="word" select="normalize-space(.)"/>
    <SexCode>
      <xsl:choose>
        <xsl:when test="$word = '男' or $word = 'M' or $word = 'm'">1</xsl:when>
        <xsl:when test="$word = '女' or $word = 'F' or $word = 'f'">2</xsl:when>
        <xsl:when test="$word = '未知' or $word = 'U'">0</xsl:when>
        <xsl:when test="$word = '未说明' or $word = 'O'">9</xsl:when>
        <xsl:otherwise><xsl:value-of select="$word"/></xsl:otherwise>
      </xsl:choose>
    </SexCode>
  </xsl:template>

  <xsl:template match="VisitType" mode="field">
    <xsl:variable name="word" select="normalize-space(.)"/>
    <VisitType>
      <xsl:choose>
        <xsl:when test="$word = '门诊' or $word = 'O' or $word = '01'">1</xsl:when>
        <xsl:when test="$word = '急诊' or $word = 'E' or $word = '02'">2</xsl:when>
        <xsl:when test="$word = '住院' or $word = 'I' or $word = '03'">3</xsl:when>
        <xsl:when test="$word = '体检' or $word = '04'">9</xsl:when>
        <xsl:otherwise><xsl:value-of select="$word"/></xsl:otherwise>
      </xsl:choose>
    </VisitType>
  </xsl:template>

  <!-- The words pathology, radiology and laboratory have for what has happened. -->
  <xsl:template match="Event" mode="field">
    <xsl:variable name="word" select="normalize-space(.)"/>
    <Event>
      <xsl:choose>
        <xsl:when test="$word = '预约'">BOOK</xsl:when>
        <xsl:when test="$word = '取消预约'">UNBOOK</xsl:when>
        <xsl:when test="$word = '登记' or $word = '到检' or $word = '签到' or $word = '标本接收'">REGISTER</xsl:when>
        <xsl:when test="$word = '取消登记'">CANCEL_REG</xsl:when>
        <xsl:when test="$word = '检查完成' or $word = '完成'">EXAM_DONE</xsl:when>
        <xsl:when test="$word = '终止'">STOP</xsl:when>
        <xsl:when test="$word = '退单' or $word = '拒单'">REJECT</xsl:when>
        <xsl:when test="$word = '初步报告'">PRELIM</xsl:when>
        <xsl:when test="$word = '审核' or $word = '报告审核'">FINAL</xsl:when>
        <xsl:when test="$word = '召回' or $word = '取消审核'">WITHDRAW</xsl:when>
        <xsl:otherwise><xsl:value-of select="$word"/></xsl:otherwise>
      </xsl:choose>
    </Event>
  </xsl:template>

  <!-- Several order numbers in one field, joined with ^ or a comma. -->
  <xsl:template match="OrderNos" mode="field">
    <xsl:variable name="list" select="translate(., ',，', '^^')"/>
    <xsl:choose>
      <xsl:when test="$operation = 'ReportStatus'">
        <Items><xsl:for-each select="g:items($list)"><Item><OrderNo><xsl:value-of select="."/></OrderNo></Item></xsl:for-each></Items>
      </xsl:when>
      <xsl:when test="$operation = 'AcknowledgeCriticalValue'">
        <RelatedOrders><xsl:for-each select="g:items($list)"><Order><OrderNo><xsl:value-of select="."/></OrderNo></Order></xsl:for-each></RelatedOrders>
      </xsl:when>
      <xsl:otherwise>
        <Orders><xsl:for-each select="g:items($list)"><Order><OrderNo><xsl:value-of select="."/></OrderNo></Order></xsl:for-each></Orders>
      </xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <xsl:template match="RequisitionNo[not(parent::Requisition)]" mode="field">
    <xsl:choose>
      <xsl:when test="$operation = 'SubmitReport'">
        <Requisitions>
          <xsl:for-each select="g:items(translate(., ',，', '^^'))"><Requisition><RequisitionNo><xsl:value-of select="."/></RequisitionNo></Requisition></xsl:for-each>
        </Requisitions>
      </xsl:when>
      <xsl:otherwise><RequisitionNo><xsl:value-of select="."/></RequisitionNo></xsl:otherwise>
    </xsl:choose>
  </xsl:template>
</xsl:stylesheet>
